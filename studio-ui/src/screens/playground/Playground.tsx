import { SegmentedControl } from "@mantine/core";
import { useMemo } from "react";
import { useTranslation } from "react-i18next";
import { useGet } from "../../api/queries";
import { useAddress } from "../../state/address";
import { useDraft } from "../../state/draft";
import { useLoras } from "../library/useLoras";
import type { LoraAtStrength, Picture } from "./drawing";
import { GridBuilder } from "./GridBuilder";
import { PictureForm } from "./PictureForm";
import classes from "./Playground.module.css";
import { SideBySide } from "./SideBySide";
import { meantBy, usesAs, usesIn } from "./uses";

type Rest = Omit<Picture, "prompt" | "seed">;

const NOTHING: Rest = { base: "", negative: "", sampler: "", steps: null, cfg: null, width: null, height: null };

/** Tries LoRAs: one picture beside the same one without them, or a grid of many. */
export default function Playground() {
  const { t } = useTranslation("playground");
  const [lora, setLora] = useAddress("lora");
  const [prompt, setPrompt] = useAddress("prompt");
  const [seed, setSeed] = useAddress("seed");
  const [view, show] = useAddress("view");
  const [rest, setRest] = useDraft<Rest>("playground", NOTHING);
  const library = useLoras({});
  const bases = useGet("/api/bases").data ?? [];
  const uses = useMemo(() => usesIn(lora), [lora]);
  const picture: Picture = { ...rest, base: rest.base || (bases[0]?.source ?? ""), prompt, seed: Number.parseInt(seed || "1", 10) || 0 };

  function change({ prompt, seed, ...more }: Partial<Picture>) {
    if (prompt !== undefined) setPrompt(prompt);
    if (seed !== undefined) setSeed(String(seed));
    if (Object.keys(more).length > 0) setRest((before) => ({ ...before, ...more }));
  }

  function again(picture: Picture, loras: LoraAtStrength[]) {
    change(picture);
    setLora(usesAs(loras.map(({ file, strength }) => ({ lora: file, weight: strength }))));
  }

  const loras = uses.flatMap((use) => {
    const { file } = meantBy(use, library.data?.loras);
    return file ? [{ file, strength: use.weight }] : [];
  });

  const waits = uses.length > 0 && library.isPending;

  return (
    <div className={classes.screen}>
      <div className={classes.form}>
        <h1>{t("title")}</h1>
        <PictureForm
          picture={picture}
          onChange={change}
          uses={uses}
          onUses={(wanted) => setLora(usesAs(wanted))}
          library={library.data?.loras}
        />
      </div>
      <div className={classes.results}>
        <SegmentedControl
          aria-label={t("view")}
          value={view === "grid" ? "grid" : "beside"}
          onChange={(wanted) => show(wanted === "grid" ? "grid" : "")}
          data={[
            { value: "beside", label: t("beside") },
            { value: "grid", label: t("grid") },
          ]}
        />
        {view === "grid" ? (
          <GridBuilder picture={picture} loras={loras} waits={waits} />
        ) : (
          <SideBySide picture={picture} loras={loras} waits={waits} onAgain={again} />
        )}
      </div>
    </div>
  );
}
