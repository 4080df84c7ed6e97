import { type Problem, problemOf } from "../../api/problem";
import { keepDraft, readDraft } from "../../state/draft";
import { textWithTags } from "./tags";

/** What a caption is to say: the tags of its line of tags, or all of its text. */
export type Said = { tags: string[] } | { text: string };

interface Kept {
  said: Said;
  /** The version of the caption that it was typed over. */
  version: string;
}

export interface DraftState {
  kept?: Kept;
  saving: boolean;
  problem?: Problem;
}

/** Sends what is said, for the version that it was typed over; the answer is the new version. */
type Put = (said: Said, version: string) => Promise<string>;

/**
 * What was typed into one caption and is not saved yet. It outlives the editor, and is kept in the tab's session until the studio has it.
 * Saves go one after the other; what is typed meanwhile is saved after that, over the version that the answer brought.
 */
export class CaptionDraft {
  private listeners = new Set<() => void>();
  private going?: Promise<void>;
  state: DraftState;

  constructor(
    private readonly key: string,
    private readonly put: Put,
  ) {
    this.state = { kept: readDraft<Kept | undefined>(key, undefined), saving: false };
  }

  listen = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  read = (): DraftState => this.state;

  /** Type over the version that is shown; a draft that is there keeps the version that it was begun over. */
  type(said: Said, version: string): void {
    const before = this.state.kept;
    this.keep({
      said: before && "text" in before.said && "tags" in said ? { text: textWithTags(before.said.text, said.tags) } : said,
      version: before?.version ?? version,
    });
  }

  forget(): void {
    this.keep(undefined);
    this.change({ problem: undefined });
  }

  /** Save over whatever version is there now, because the user has seen it. */
  saveOver(version: string): Promise<void> {
    if (this.state.kept) this.keep({ ...this.state.kept, version });
    return this.save();
  }

  /** Send what is typed, if anything is. A refusal is kept in `problem`, and so is what was typed. */
  save(): Promise<void> {
    this.going ??= this.send().finally(() => {
      this.going = undefined;
    });
    return this.going;
  }

  private async send(): Promise<void> {
    while (this.state.kept) {
      const sent = this.state.kept;
      this.change({ saving: true, problem: undefined });
      try {
        const version = await this.put(sent.said, sent.version);
        this.keep(this.state.kept === sent ? undefined : this.state.kept && { ...this.state.kept, version });
        this.change({ saving: false });
      } catch (error) {
        this.change({ saving: false, problem: problemOf(error, 0) });
        return;
      }
    }
  }

  private keep(kept: Kept | undefined): void {
    keepDraft(this.key, kept);
    this.change({ kept });
  }

  private change(changed: Partial<DraftState>): void {
    this.state = { ...this.state, ...changed };
    for (const listener of [...this.listeners]) listener();
  }
}
