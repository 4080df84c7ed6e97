import { useMantineColorScheme } from "@mantine/core";
import { useEffect } from "react";
import { usePreferences } from "../state/preferences";
import i18next from "../words";

/** Puts the kept language and colours in place. */
export function Habits(): null {
  const [{ language, scheme }] = usePreferences();
  const { setColorScheme } = useMantineColorScheme();
  useEffect(() => {
    if (language && language !== i18next.language) i18next.changeLanguage(language);
  }, [language]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: the setter is new in each drawing
  useEffect(() => {
    if (scheme) setColorScheme(scheme);
  }, [scheme]);
  return null;
}
