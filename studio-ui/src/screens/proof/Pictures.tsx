import { SegmentedControl } from "@mantine/core";
import { useCallback, useMemo } from "react";
import { useTranslation } from "react-i18next";
import { number } from "../../components/format";
import { type Cell, cellOf } from "../../components/samples/matrix";
import { SampleMatrix } from "../../components/samples/SampleMatrix";
import { SideSlider, useSide } from "../../components/samples/SideSlider";
import { useAddress } from "../../state/address";
import classes from "./Proof.module.css";
import { byCheckpoint, byWeight, GROUPS } from "./pictures";
import type { ProofProps } from "./RunProof";

/** The same prompts and seeds on the base and on each checkpoint, or on the recommended one at each weight. */
export function Pictures({ proof }: ProofProps) {
  const { t } = useTranslation("proof");
  const [groupName, setGroup] = useAddress("prompts");
  const [axisName, setAxis] = useAddress("by");
  const [cell, setCell] = useAddress("cell");
  const side = useSide("proof_side");
  const groups = GROUPS.filter((name) => proof.prompts.some((prompt) => prompt.group === name));
  const group = groups.find((name) => name === groupName) ?? groups[0] ?? "new";
  const byWeights = axisName === "weight" && proof.weights.length > 0;
  const { matrix, marked } = useMemo(
    () =>
      byWeights
        ? byWeight(proof, group, t("base"), (weight) => t("at_weight", { weight: number(weight) }))
        : byCheckpoint(proof, group, t("base")),
    [proof, group, byWeights, t],
  );
  const open = useCallback((to?: Cell) => setCell(to ? `${to.row},${to.column}` : ""), [setCell]);
  const at = useMemo(() => cellOf(cell, matrix), [cell, matrix]);
  const baseOf = useCallback((at: Cell) => matrix.cells[0]?.[at.column], [matrix]);
  return (
    <>
      <p className="soft">{t(`group_${group}_words`)}</p>
      <div className={classes.controls}>
        <SegmentedControl
          value={group}
          onChange={(value) => setGroup(value === groups[0] ? "" : value)}
          data={groups.map((name) => ({ value: name, label: t(`group_${name}`) }))}
          aria-label={t("which_prompts")}
        />
        {proof.weights.length > 0 && (
          <SegmentedControl
            value={byWeights ? "weight" : "checkpoint"}
            onChange={(value) => setAxis(value === "weight" ? value : "")}
            data={["checkpoint", "weight"].map((name) => ({ value: name, label: t(`by_${name}`) }))}
            aria-label={t("which_axis")}
          />
        )}
        <SideSlider preference="proof_side" />
      </div>
      <SampleMatrix matrix={matrix} marked={marked} label={t("pictures")} side={side} at={at} onAt={open} baseOf={baseOf} />
    </>
  );
}
