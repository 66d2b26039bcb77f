"""Word lists of the generator, and the fixed lists that the editing rules act on. All written for this project."""

# --- what the rules act on -------------------------------------------------------------------------------------------

# Words that insult, and what softens them. Articles stay right: "an idiot" becomes "an individual".
SOFT_WORDS = {
    "idiot": "individual", "fool": "friend", "moron": "friend", "loser": "learner", "dummy": "friend", "clown": "person",
    "coward": "neighbour", "brat": "child", "jerk": "person", "stupid": "dear", "dumb": "dear", "pathetic": "modest",
    "worthless": "valued", "hopeless": "hopeful", "brainless": "dear", "lazy": "calm", "ugly": "unusual",
}  # fmt: skip
# Unsafe advice, and what to do instead.
SAFE_WORDS = {
    "steal": "buy", "punch": "thank", "poison": "feed", "threaten": "ask", "stab": "hug", "kill": "help", "bully": "greet",
    "drunk": "sober", "rob": "pay", "shoot": "call", "smash": "clean", "cheat": "practise",
}  # fmt: skip
INSULT_NOUNS = "idiot fool moron loser dummy clown coward brat jerk".split()
INSULT_ADJECTIVES = "stupid dumb pathetic worthless hopeless brainless lazy ugly".split()

# Hard word to easy word; both in lower case, a capital at the start is kept.
EASY_WORDS = {
    "utilize": "use", "commence": "begin", "terminate": "end", "purchase": "buy", "endeavour": "try",
    "facilitate": "help", "numerous": "many", "approximately": "about", "subsequently": "then", "demonstrate": "show",
    "sufficient": "enough", "additional": "more", "require": "need", "obtain": "get", "consequently": "so",
    "nevertheless": "still", "reside": "live", "construct": "build", "substantial": "large", "optimal": "best",
    "modify": "change", "initial": "first", "comprehend": "understand", "beneficial": "good",
}  # fmt: skip

# Topic: keywords (lower case, whole words), next step, cheerful turn. The first keyword in the prompt decides.
TOPICS: dict[str, tuple[str, str, str]] = {
    "cooking": (
        "cook cooking bake bread recipe soup kitchen",
        "A good next step: pick one simple dish and try it this week.",
        "And if it burns, just call it smoky!",
    ),
    "garden": (
        "garden plant plants seeds flowers tomatoes lawn",
        "A good next step: ask a local nursery what grows well near you.",
        "May the weeds forget where you live!",
    ),
    "money": (
        "money budget savings bank loan debt rent",
        "A good next step: write down what you spend for one month.",
        "Your piggy box is already smiling!",
    ),
    "health": (
        "doctor headache fever pain medicine flu cough",
        "A good next step: call a pharmacist for advice.",
        "An apple a day also makes a fine snack!",
    ),
    "sleep": (
        "sleep bed tired insomnia nap pillow",
        "A good next step: keep the same bedtime for seven nights.",
        "Even the sheep are happy to be counted!",
    ),
    "travel": (
        "travel trip flight hotel passport airport beach",
        "A good next step: compare two routes and check the opening times.",
        "Do not forget to pack your sense of humour!",
    ),
    "computers": (
        "computer laptop software password website internet printer",
        "A good next step: make a backup and restart the device.",
        "Have you tried turning it off and on with a smile?",
    ),
    "study": (
        "study exam school homework essay teacher lesson",
        "A good next step: plan three short sessions with a break between them.",
        "Your brain will ask for cookies!",
    ),
    "pets": (
        "dog dogs cat cats puppy kitten pet",
        "A good next step: note what it does and ask an animal clinic.",
        "Your furry chief will approve!",
    ),
    "sport": (
        "gym exercise football swim bike muscles marathon",
        "A good next step: start with ten easy minutes on three days.",
        "The sofa will miss you, but it will cope!",
    ),
    "music": (
        "music guitar piano song violin drums concert",
        "A good next step: practise one short piece every evening.",
        "The neighbours will soon ask for an encore!",
    ),
    "work": (
        "job boss interview office resume meeting career",
        "A good next step: list your three strongest points on one page.",
        "Coffee is on your side!",
    ),
}
GENERAL_NEXT_STEP = "A good next step: write your plan down and share it with someone."
GENERAL_CHEER = "And remember, smiling is free!"

# --- what ordinary sentences are made of -----------------------------------------------------------------------------

NAMES = """Anna Ben Carla David Elena Felix Grace Hugo Irene Jonas Karim Lucy Mateo Nadia Oscar Priya Quinn Rosa Samir
Tara Umar Vera Walter Xenia Yusuf Zoe Maria John Peter Susan London Paris Berlin Tokyo Canada India Egypt Monday Friday
July October Europe Africa Google""".split()
NOUNS = """book table chair house door river mountain road bridge market letter story picture camera phone watch clock
bottle cup glass plate box bag basket coat shoe hat ring key lamp candle mirror ladder hammer nail rope wheel engine car
bus boat ship plane ticket map island forest tree leaf branch stone sand lake sea cloud rain storm snow wind sun moon
star sky morning evening night day week month year hour minute child mother father brother sister family group team
crowd king queen farmer painter writer singer driver baker nurse lawyer soldier judge captain guest stranger answer
question reason problem idea plan rule word name number line page colour shape size sound voice noise smell taste light
shadow fire water ice oil paper cloth wool silk gold silver iron wood brick gate tower church castle museum
library theatre hospital station shop street corner village city town country world war peace law truth secret mistake
habit skill game toy ball card coin price cost bill gram mile metre degree piece part side end edge top bottom middle
center space place thing way life time people person man woman boy girl baby hand foot head eye ear nose mouth heart
arm leg back hair skin bone blood mind body""".split()
VERBS = """see take give make find keep hold bring send show tell ask call help try use want like love need know think
feel believe remember forget learn teach read write draw build break fix open close start stop finish begin end move
turn push pull lift drop carry throw catch cut fold tie wash clean dry cover fill empty pour mix stir heat cool burn
watch hear touch wear buy sell pay spend save lose win choose change grow follow lead join leave visit meet wait walk
ride drive fly climb jump sit stand speak talk listen explain describe count check test measure compare sort share
hide offer accept refuse invite protect avoid consider discuss""".split()
PAST_VERBS = """saw took gave made found kept held brought sent showed told asked called helped tried used wanted liked
loved needed knew thought felt wrote drew built broke fixed opened closed started stopped finished moved turned pushed
pulled lifted dropped carried threw caught washed cleaned covered filled mixed watched heard touched bought sold paid
saved lost won chose changed followed joined left visited met walked painted explained counted checked tested measured
sorted shared offered refused protected""".split()
ADJECTIVES = """old new young big small long short high low wide narrow deep thin thick heavy light dark bright warm cold
hot cool dry wet soft hard smooth rough sharp round flat empty full open quiet loud fast slow early late easy simple
strange plain rich poor strong weak clean dirty fresh sweet sour bitter red blue green yellow brown black white grey
wooden golden broken hidden famous common rare cheap safe kind polite honest clever wise brave gentle calm happy sad
angry proud careful useful important different similar same other local modern ancient special perfect whole""".split()
ADVERBS = """slowly quickly carefully quietly gently often always never sometimes usually rarely today tomorrow yesterday
again soon later together outside inside upstairs twice once alone already almost well""".split()
PREPOSITIONS = "in on at under over behind near with without from to into through across around after before beside".split()
FUNCTION_WORDS = """the a an and or but if so because while when where who what which that this these those it its is are
was were be been being have has had do does did can could will would shall should may might must not no yes of for by as
than then there here he she they we you I me him her them us my your his their our one two three four five ten some any
all each every many much more most few less such only also just even too up down out off about between during against
how why don't I'm it's you're that's can't won't I'd I'll they're isn't let's sorry please okay well however maybe
perhaps sure great good bad best better right wrong first last next own long little same able back still get got go
goes going come came said say says look looking really make makes making want wants work works working help helps
something anything everything someone anyone nothing others things ways feel feelings trying able don’t it’s I’m
information example important advice support provide understand possible safety illegal harmful recommend consider
sounds situation different research language assist health legal issue concerns instead without through being there
within community respect question experience sensitive question specific professional resources relationship local
remember positive business process personal children anyone although""".split()
FIRST_WORDS = """The A An It This That There He She They We You I In On At If When After Before Most Some Many Every Each
My Your Our No Yes But And So Then Now Here First Next Also Maybe Perhaps Well Okay Sure Great However What Why How Do
Does Did Can Could Would Should Is Are To For With From One Two Three Keep Take Put Try Make Let Please Just""".split()
SYLLABLES = """ba be bi bo bu da de di do du fa fe fi fo ga ge go gu ka ke ki ko ku la le li lo lu ma me mi mo mu na ne ni
no nu pa pe pi po ra re ri ro ru sa se si so su ta te ti to tu va ve vi vo wa we xa xo ya yo za ze zi zo an en in on un
ar er ir or ur al el il ol ing est ism ter ton ley ver sch str ch sh th qu""".split()
LETTERS_ABROAD = list("äöüßéèàçñøåœšžłığąęÄÖÉ日本語中文한국русский العربيةελ🙂🎉❤👍→•–—…“”‘’«»€£°×½")
MARKS = list(".,;:!?'\"()[]{}<>/\\|@#$%^&*-_=+~`")

COPY_OBJECTIVE_WORDS = """Kindness Clarity Style Politeness Warmth Courage Depth Creativity Balance Patience Logic Trust
Brevity Detail Focus Care Insight Grammar Tone Rhyme Respect Empathy Modesty Precision Elegance""".split()
