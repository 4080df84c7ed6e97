import { type Dispatch, type SetStateAction, useCallback, useEffect, useState } from "react";

/** What was typed and not yet sent. It is kept in the tab's session, so that no reload, error or restart of the studio loses it. */

const PREFIX = "draft:";

/** The draft kept under a key, or the given value. */
export function readDraft<Value>(key: string, otherwise: Value): Value {
  try {
    const kept = sessionStorage.getItem(PREFIX + key);
    return kept === null ? otherwise : (JSON.parse(kept) as Value);
  } catch {
    return otherwise; // no storage, or what an older version kept
  }
}

/** Keep a draft; `undefined` forgets it. */
export function keepDraft(key: string, value: unknown): void {
  try {
    if (value === undefined) sessionStorage.removeItem(PREFIX + key);
    else sessionStorage.setItem(PREFIX + key, JSON.stringify(value));
  } catch {
    // a full or forbidden storage: what is typed stays in the page
  }
}

/** Like useState, kept over reloads. `forget` goes back to `initial` and keeps nothing. */
export function useDraft<Value>(key: string, initial: Value): [Value, Dispatch<SetStateAction<Value>>, () => void] {
  const [value, setValue] = useState<Value>(() => readDraft(key, initial));
  const [changed, setChanged] = useState(false);
  useEffect(() => {
    if (changed) keepDraft(key, value);
  }, [key, value, changed]);
  const change = useCallback<Dispatch<SetStateAction<Value>>>((next) => {
    setChanged(true);
    setValue(next);
  }, []);
  const forget = useCallback(() => {
    setChanged(false);
    keepDraft(key, undefined);
    setValue(initial);
  }, [key, initial]);
  return [value, change, forget];
}
