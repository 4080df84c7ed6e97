import { Button, NativeSelect, TextInput } from "@mantine/core";
import { Grid3x3 } from "lucide-react";
import { useTranslation } from "react-i18next";
import { useGet } from "../../api/queries";
import { BasesField } from "../../components/bases/BasesField";
import { ErrorCard } from "../../components/ErrorCard";
import type { Json } from "../../components/fields/json";
import { useJob } from "../../components/jobs/useJob";
import { hasEnded } from "../../frame/job";
import { useKeys } from "../../keys/useKeys";
import { useAddress } from "../../state/address";
import { useDraft } from "../../state/draft";
import { AXES, type Axis, axisOf } from "./axes";
import { Cells } from "./Cells";
import { FOLDER, type LoraAtStrength, type Picture, usualsOf } from "./drawing";
import classes from "./Playground.module.css";

const OUT = `${FOLDER}/grids`;
const PLACES = ["x", "y", "z"] as const;

type Axes = Record<(typeof PLACES)[number], Axis>;

const AT_FIRST: Axes = { x: { of: "weight", values: AXES.weight ?? "" }, y: { of: "seed", values: "1..3" }, z: { of: "", values: "" } };

/** Many pictures in rows and columns, in each of which something else changes. */
export function GridBuilder({ picture, loras, waits }: { picture: Picture; loras: LoraAtStrength[]; waits: boolean }) {
  const { t } = useTranslation("playground");
  const [axes, setAxes] = useDraft<Axes>("playground:axes", AT_FIRST);
  const { problem, sending, start } = useJob();
  const known = useGet("/api/jobs");
  const jobs = known.data ?? [];
  const [shownId, setShown] = useAddress("grid");
  const [, setCell] = useAddress("cell");
  const grids = jobs.filter((job) => job.kind === "grid");
  const latest = grids.filter((job) => job.arguments.out === OUT).sort((one, other) => other.id - one.id)[0];
  const shown = shownId ? grids.find((job) => String(job.id) === shownId) : latest;
  const [lora] = loras;
  const running = latest !== undefined && !hasEnded(latest);
  const ready =
    picture.base !== "" && picture.prompt.trim() !== "" && PLACES.some((place) => axisOf(axes[place])) && !sending && !waits && !running;

  function generate() {
    const asked: Record<string, Json> = {
      base: picture.base,
      prompt: picture.prompt.trim(),
      negative_prompt: picture.negative,
      seed: picture.seed,
      ...usualsOf(picture),
      ...(lora ? { target: lora.file, strength: lora.strength } : {}),
      ...Object.fromEntries(PLACES.flatMap((place) => (axisOf(axes[place]) ? [[place, axisOf(axes[place])]] : []))),
      out: OUT,
    };
    setShown("");
    setCell("");
    start("grid", asked);
  }

  useKeys({ "Ctrl+Enter": () => ready && generate() });
  return (
    <>
      <div className={classes.axes}>
        {PLACES.map((place) => (
          <AxisRow key={place} place={place} axis={axes[place]} onChange={(axis) => setAxes((before) => ({ ...before, [place]: axis }))} />
        ))}
      </div>
      {loras.length > 1 && <p className="soft small">{t("grid_of_first")}</p>}
      <div className={classes.go}>
        <Button leftSection={<Grid3x3 size={16} aria-hidden />} disabled={!ready} loading={sending} onClick={generate}>
          {t("generate_grid")}
        </Button>
      </div>
      {problem !== undefined && <ErrorCard key={String(problem)} problem={problem} />}
      {shown && <Cells key={shown.id} job={shown} />}
      {shownId && !shown && known.data && <p className="soft">{t("no_such_grid", { nr: shownId })}</p>}
    </>
  );
}

function AxisRow({ place, axis, onChange }: { place: string; axis: Axis; onChange: (axis: Axis) => void }) {
  const { t } = useTranslation("playground");
  return (
    <div className={classes.axis}>
      <NativeSelect
        label={t(`axis_${place}`)}
        value={axis.of}
        onChange={(event) => onChange({ of: event.currentTarget.value, values: AXES[event.currentTarget.value] ?? "" })}
        data={[{ value: "", label: t("no_axis") }, ...Object.keys(AXES).map((of) => ({ value: of, label: t(`of_${of}`) }))]}
      />
      {axis.of === "base" ? (
        <BasesField label={t("values")} value={axis.values} onChange={(values) => onChange({ ...axis, values })} />
      ) : (
        <TextInput
          label={t("values")}
          placeholder={AXES[axis.of]}
          disabled={!axis.of}
          value={axis.values}
          onChange={(event) => onChange({ ...axis, values: event.currentTarget.value })}
        />
      )}
    </div>
  );
}
