import type { ComponentProps, ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { useStanding } from "./useStanding";

interface Props extends Omit<ComponentProps<"img">, "onError" | "src" | "alt"> {
  src: string | undefined;
  alt: string;
  /** What is shown in its place while it cannot be; without it a sign of the same size. */
  otherwise?: ReactNode;
  /** Called when the studio answers that the image does not exist. */
  onGone?: () => void;
}

/** A picture, preview or sample that the studio serves: whatever did not come because the studio was away is asked for when it is back. */
export function StudioImage({ src, alt, otherwise, onGone, ...image }: Props) {
  const { t } = useTranslation("gallery");
  const { standing, missed } = useStanding(src, onGone);
  if (standing !== "waiting" && standing !== "gone") return <img {...image} src={src} alt={alt} onError={missed} />;
  if (otherwise !== undefined) return otherwise;
  return <img {...image} src={SIGNS[standing]} alt={alt} title={t(`image_${standing}`)} data-missing={standing} />;
}

/** In the page itself: a file of the studio's would be missing when it is needed. */
const SIGNS = {
  waiting: sign('<path d="M12 6v6l4 2"/><circle cx="12" cy="12" r="10"/>'),
  gone: sign('<rect x="3" y="3" width="18" height="18" rx="2"/><path d="M2 2l20 20M21 15l-3.1-3.1M6 21l6-6"/>'),
};

function sign(lines: string): string {
  const drawing = `<svg xmlns="http://www.w3.org/2000/svg" width="96" height="96" viewBox="-24 -24 72 72" fill="none" stroke="#808080" stroke-width="2" stroke-linecap="round">${lines}</svg>`;
  return `data:image/svg+xml,${encodeURIComponent(drawing)}`;
}
