import { language, type Language } from './locale.ts';
import { en } from './strings/en.ts';

/** The same keys and the same arguments, other words. */
type Translation<Original> = Original extends string
  ? string
  : Original extends (...given: infer Given) => string
    ? (...given: Given) => string
    : { readonly [Key in keyof Original]: Translation<Original[Key]> };

/** What a language has to say. */
export type Strings = Translation<typeof en>;

/** English comes with the page; another language is fetched where it is wanted. */
const LOADERS: Record<Language, () => Strings | Promise<Strings>> = {
  en: () => en,
  de: async () => (await import('./strings/de.ts')).de,
};

async function load(): Promise<Strings> {
  try {
    return await LOADERS[language]();
  } catch (error) {
    // A page in English says more than none.
    console.error(error);
    return en;
  }
}

/**
 * The page's words in its language. To add one: a file beside `en.ts`, its code in `LANGUAGES`, and a line above. What the
 * models read (objectives, templates) and error messages, which the command line and the server share, stay English.
 */
export const strings: Strings = await load();
