/** The concepts of a dataset, read from its pictures' paths: `10_anna/1.png` is trained on ten times in an epoch. */

export interface Concept {
  /** "" for pictures that are in no `N_name` folder. */
  name: string;
  repeats: number;
  regularisation: boolean;
  pictures: string[];
  /** Its part of an epoch, from 0 to 1. */
  share: number;
}

export interface Division {
  concepts: Concept[];
  heldOut: string[];
}

const HELD_OUT = "holdout/";
const REGULARISATION = /^(regularisation|regularization|reg)$/i;
const CONCEPT = /^([1-9]\d{0,2})_\s*(\S.*?)\s*$/; // four digits are a year

/** Which pictures train how often, and which judge. Concepts with most of an epoch come first, regularisation last. */
export function divided(ids: readonly string[]): Division {
  const heldOut: string[] = [];
  const found = new Map<string, Concept>();
  for (const id of ids) {
    if (id.startsWith(HELD_OUT)) {
      heldOut.push(id);
      continue;
    }
    const folders = id.split("/").slice(0, -1);
    const named = folders.at(-1)?.match(CONCEPT);
    const [name, repeats] = named ? [named[2] as string, Number(named[1])] : ["", 1];
    const regularisation = folders.some((folder) => REGULARISATION.test(folder));
    const key = `${regularisation} ${repeats} ${name}`;
    const concept = found.get(key) ?? { name, repeats, regularisation, pictures: [], share: 0 };
    concept.pictures.push(id);
    found.set(key, concept);
  }
  const concepts = [...found.values()];
  const samples = concepts.reduce((sum, { pictures, repeats }) => sum + pictures.length * repeats, 0);
  for (const concept of concepts) concept.share = (concept.pictures.length * concept.repeats) / samples;
  concepts.sort((one, other) => Number(one.regularisation) - Number(other.regularisation) || other.share - one.share);
  return { concepts, heldOut };
}
