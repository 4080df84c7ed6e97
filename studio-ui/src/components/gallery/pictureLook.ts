import i18next from "../../words";
import { SEVERITIES, SIGNS } from "../severity";
import type { Look } from "./Tile";
import type { Picture } from "./usePictures";

const MOST_BADGES = 3;

/** How a picture looks in a gallery: what is wrong with it stands at its foot, and a hatched frame says that it is held out. */
export function pictureLook(picture: Picture): Look {
  const badges = badgesOf(picture);
  return {
    picture: picture.thumbnail ?? undefined,
    name: [picture.id, ...badges.all].join(", "),
    strip: badges.shown,
    tone: badges.gravest,
    apart: picture.held_out,
  };
}

/** A finding's name in two or three words, by its code. */
export function findingName(code: string): string {
  const rule = code.slice(code.indexOf(".") + 1);
  return i18next.t(`findings:${rule}`, { defaultValue: rule.replaceAll("_", " ") });
}

function badgesOf(picture: Picture) {
  const gravest = SEVERITIES.find((severity) => picture.badges.some((badge) => badge.severity === severity));
  const names = [...new Set(picture.badges.map((badge) => findingName(badge.code)))];
  const held = picture.held_out ? [i18next.t("gallery:held_out")] : [];
  const more = names.length > MOST_BADGES ? [`+${names.length - MOST_BADGES}`] : [];
  const words = [...held, ...names.slice(0, MOST_BADGES), ...more].join(" · ");
  return { gravest, all: [...held, ...names], shown: gravest ? `${SIGNS[gravest]} ${words}` : words };
}
