import i18next from "i18next";
import { initReactI18next } from "react-i18next";
import { resources } from "./resources";

/** The page's languages, the browser's own first; what is chosen in the settings takes its place (frame/Habits.tsx). */
export const LANGUAGES = { en: "English", ja: "日本語" } as const;
export type Language = keyof typeof LANGUAGES;

i18next.use(initReactI18next).init({
  resources: resources as never,
  lng: navigator.language.startsWith("ja") ? "ja" : "en",
  fallbackLng: "en",
  ns: Object.keys(resources.en ?? {}),
  defaultNS: "frame",
  interpolation: { escapeValue: false }, // React escapes
});
i18next.on("languageChanged", (language) => {
  document.documentElement.lang = language;
});
document.documentElement.lang = i18next.language;

export default i18next;
