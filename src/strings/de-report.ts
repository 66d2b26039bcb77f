import type { ReportWords } from '../evaluation/report/report-words.ts';

/** What a report says in German. */
export const GERMAN_REPORT: ReportWords = {
  language: 'de',
  title: 'Auswertung',
  decimal: (value, digits) => value.toFixed(digits).replace('.', ','),
  interval: (value, low, high) => `${value} [${low}; ${high}]`,
  none: '–',
  research:
    'Nur für die Forschung. Ein Urteilsmodell ist ein Modell und ein Maß eine Regel: Keines von beiden ist, was Menschen vorziehen.',
  mentalHealth:
    'Die Daten handeln von seelischer Gesundheit. Nichts hier ist eine Diagnose oder ein Rat; wer Hilfe braucht, sollte sich an eine Fachperson wenden.',

  policy: 'Antwortmodell',
  objective: 'Ziel',
  aligner: 'Aligner',
  judge: 'Urteilsmodell',
  dataset: 'Datensatz',
  source: 'Quelle',
  rows: 'Zeilen',
  comparison: 'Vergleich',
  comparisons: {
    'aligned-goldens': 'Fassung gegen Referenz',
    'original-goldens': 'Original gegen Referenz',
    'aligned-original': 'Fassung gegen Original',
  },
  contest: (aligner, policy, objective, comparison, judge) =>
    `${aligner} auf ${policy}, ${objective}: ${comparison} (${judge})`,

  winRates: (family) => `Gewinnraten, ${family}`,
  families: { 'hh-rlhf': 'HH-RLHF', ultrafeedback: 'UltraFeedback', imhi: 'IMHI' },
  advantages:
    'Fassung abzüglich Original, jeweils gegen die Referenz, in Prozentpunkten; daneben Tabelle 2 des Aufsatzes',
  advantage: 'Vorsprung',
  advantageInterval: (low, high) => `${low} bis ${high}`,
  mcnemar: 'McNemar p',
  paperOf: (size) => `Aufsatz, ${size}`,
  tableTwo: 'Tabelle 2 des Aufsatzes zu diesen Zielen, alle Antwortmodelle',
  tableThree:
    'Gewinnrate gegen die Referenz in Prozent, Gleichstände als Niederlagen, neben Tabelle 3 des Aufsatzes (Mittel wie gedruckt)',
  method: 'Verfahren',
  average: 'Mittel',
  here: (aligner, policy, judge) => `${aligner} auf ${policy}, ${judge} (hier)`,
  onPolicy: (method, policy) => `${method} auf ${policy}`,
  rates: 'Gewinnraten mit 95-%-Intervallen; gestrichelt: so oft gewonnen wie verloren',
  rate: 'Gewinnrate %',
  rateInterval: (low, high) => `${low} bis ${high} %`,
  counts: 'Zählungen und Tests',
  invalid: 'Ungültig',
  leftOut: 'Ausgelassen',
  wins: 'Siege',
  ties: 'Gleichstände',
  losses: 'Niederlagen',
  tiesAsWins: 'Gleichstände als Siege %',
  tiesAsLosses: 'Gleichstände als Niederlagen %',
  signTest: 'Vorzeichentest p',
  consistent: 'Beständig %',
  whereConsistent: 'Wo beständig %',
  choseFirst: 'Erster Platz gewählt %',
  lengthRatio: 'Längenverhältnis',
  atEqualLength: 'Bei gleicher Länge %',
  andDifficulty: 'Und nach Schwierigkeit %',
  lengthTitle: 'Länge gegen Gewinnrate',
  lengthFigure:
    'Ein Punkt für jeden Vergleich; gestrichelt: so lang wie die andere Antwort, und so oft gewonnen wie verloren',
  lengthAxis: 'Länge der beurteilten Antwort, mal der anderen',
  rateAxis: 'Gewinnrate, %',
  lengthGroups: 'Gewinnrate nach Länge, in Fünfteln der Zeilen',
  lengthGroup: 'Fünftel',
  meanDifference: 'Länger um, Zeichen',
  agreement: (one, other, kappa, rows) =>
    `${one} und ${other} stimmen mit Cohens Kappa ${kappa} überein, über ${rows} Zeilen.`,
  examples: 'Beispiele',
  noExamples: 'Es gibt keinen Sieg und keine Niederlage mit ihren Texten.',
  outcomes: { win: (row) => `Ein Sieg, Zeile ${row}`, loss: (row) => `Eine Niederlage, Zeile ${row}` },
  query: 'Anfrage',
  judged: 'Beurteilt',
  against: 'Gegen',

  ratings: 'Noten',
  ratingTable: 'Noten eines Urteilsmodells von 0 bis 10, mit 95-%-Intervallen',
  original: 'Original',
  edit: 'Fassung',
  difference: 'Fassung abzüglich Original',
  differenceInterval: (low, high) => `${low} bis ${high}`,

  labels: 'Labels von IMHI',
  labelTable: 'Labels der Ausgaben gegen die der Referenzen, in Prozent',
  byRules: 'nach Regeln',
  byClassifiers: 'durch Klassifikatoren',
  accuracy: 'Genauigkeit',
  weightedF1: 'Gewichtetes F1',
  microF1: 'Mikro-F1',
  macroF1: 'Makro-F1',
  outOfDomain: 'Ohne Label',
  unlabelled: 'Referenzen ohne Label',
  confusion: (dataset) => `Verwechslungsmatrix von ${dataset}`,
  confusionCaption: 'Zeilen: Labels der Referenzen. Spalten: Labels der Ausgaben.',
  reference: 'Referenz',

  quality: 'Texte gegen Referenzen',
  qualityTable: 'BLEU, ROUGE und BERTScore von 0 bis 1; BARTScore und GPTScore sind mittlere Log-Wahrscheinlichkeiten',

  annotations: 'Maße neben Menschen',
  annotationTable: (file, rows, withoutReference, identical) =>
    `${file}: ${rows} Zeilen verglichen; ${withoutReference} ohne Referenz und ${identical} mit ihr gleiche ausgelassen`,
  metric: 'Maß',
  aspect: 'Hinsicht',
  spearmanInterval: 'Spearman, −1 bis 1',
  fleiss: (values) => `Übereinstimmung der Urteilenden (Kappa von Fleiss): ${values}.`,

  methods: 'Methoden',
  judgedMethods: ({ judge, models, family, paper, repeats, seed }) =>
    `Urteilsmodell: ${models}, ${judge}, mit der veröffentlichten Vorlage der Familie ${family}. ` +
    (paper === null
      ? 'Jedes Paar wurde in beiden Reihenfolgen beurteilt, bei Temperatur 0; widersprechen sie sich, ist es ein Gleichstand, und der zählt als halber Sieg. ' +
        '„Wo beständig“ ist die Rate der Zeilen, deren Reihenfolgen übereinstimmen: frei von einer Vorliebe für einen Platz, die nicht von den Antworten abhängt. '
      : `Wie im Aufsatz: Jedes Paar wurde einmal beurteilt, in zufälliger Reihenfolge (Startwert ${seed}), mit den Einstellungen des Urteilsmodells; ein Gleichstand zählt als ${paper === 'script' ? 'Sieg' : 'Niederlage'}. `) +
    (repeats === 1
      ? ''
      : `Jede Frage wurde ${repeats}-mal gestellt; es gilt, was die meisten Antworten sagen, ohne Mehrheit ein Gleichstand. `) +
    'Ungültig ist eine Zeile, wenn ein Aufruf scheiterte oder eine Antwort kein Urteil enthält; ungültige Zeilen zählen in keiner Rate. ' +
    'Intervalle gelten zu 95 %: nach Wilson, wo Gleichstände als Siege oder Niederlagen zählen, sonst das Perzentilintervall aus 10.000 ' +
    `Bootstrap-Ziehungen über Zeilen (Startwert ${seed}), gepaart für Vorsprünge, und nie schmaler als nach der Dreierregel für Ausgänge, die keine Zeile hatte. McNemars Test, über die Zeilen, die nur eine Seite gewann, und der Vorzeichentest, über jene, in denen eine besser war, sind exakt und ` +
    'zweiseitig. Die Rate bei gleicher Länge kommt aus einer logistischen Regression mit dem Längenterm von AlpacaEval 2; die nach Schwierigkeit ' +
    'hat auch dessen Term für die Anfrage, deren Schwierigkeit aus den anderen Modellen dieses Berichts kommt, von einer Standardnormalverteilung nahe 0 gehalten, da es wenige sind. ' +
    'Veröffentlicht: arXiv 2403.17141v3, Tabellen 2 und 3, durch gpt-4-turbo-preview, einmal je Paar, Gleichstände als Niederlagen.',
  ratedMethods: (judge, model, seed) =>
    `Noten: ${model}, ${judge}, mit der veröffentlichten Vorlage, bei Temperatur 0; Intervalle durch Bootstrap (Startwert ${seed}), gepaart für Unterschiede. Ungültig ist eine Zeile ohne eine Zahl von 0 bis 10 für beide Antworten.`,
  labelMethods:
    'Labels: im Text vor „Reasoning:“ nach den veröffentlichten Regeln gefunden, oder von den veröffentlichten Klassifikatoren. Zeilen, deren Referenz kein Label hat, sind ausgelassen und gezählt; F1 ist das von scikit-learn.',
  qualityMethods:
    'Texte: BLEU ist das von sacrebleu ohne Glättung durch 100, ROUGE das Mittel der F-Maße von rouge_score ohne Stammformen.',
  annotationMethods:
    'Menschen: Die Note einer Zeile ist das Mittel ihrer Urteilenden; Korrelationen mit 95-%-Intervallen nach Fisher (Pearson), Bonett und Wright (Spearman) und Fieller (Kendall).',
  versions: (versions) => `Versionen: ${versions}.`,
};
