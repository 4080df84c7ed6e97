import { Tabs } from "@mantine/core";
import { useTranslation } from "react-i18next";
import type { Shape } from "../../api/client";
import { useGet } from "../../api/queries";
import { Loaded } from "../../components/Loaded";
import { useAddress, useAddressPart } from "../../state/address";
import { NotBegun } from "./NotBegun";
import classes from "./Run.module.css";
import { RunCurves } from "./RunCurves";
import { RunGone } from "./RunGone";
import { RunHeader } from "./RunHeader";
import { RunLog } from "./RunLog";
import { RunSamples } from "./RunSamples";
import { RunSettings } from "./RunSettings";
import { RunTrouble } from "./RunTrouble";
import { RunVerdict } from "./RunVerdict";
import { useCurve } from "./useCurve";
import { useJobOf } from "./useJobOf";

const PARTS = { curves: RunCurves, samples: RunSamples, log: RunLog, settings: RunSettings } as const;
const LOOK_EVERY = 1000; // milliseconds, while a run has not begun

/** One run: how far it is, its curves, samples, log and settings, and what can be asked of it. */
export default function Run() {
  const id = useAddressPart("run");
  const job = useJobOf(id);
  const listed = useGet("/api/runs", undefined, { refetchInterval: (query) => (job && !isIn(query.state.data, id) ? LOOK_EVERY : false) });
  const waits = job !== undefined && !isIn(listed.data, id);
  const run = useGet("/api/runs/{run}", { path: { run: id } }, { enabled: listed.isFetched && !waits });
  return (
    <div className={classes.screen}>
      {waits ? (
        <NotBegun job={job} />
      ) : (
        <Loaded of={run} height={120} gone={(problem) => <RunGone problem={problem} />}>
          {(facts) => <RunThatBegan key={id} run={facts} />}
        </Loaded>
      )}
    </div>
  );
}

function isIn(runs: Shape<"RunView">[] | undefined, id: string): boolean {
  return runs?.some((run) => run.id === id) ?? false;
}

function RunThatBegan({ run }: { run: Shape<"RunFacts"> }) {
  const { t } = useTranslation("runs");
  const curve = useCurve(run.id);
  const [part, show] = useAddress("part");
  const shown = part in PARTS ? part : "curves";
  return (
    <>
      <RunHeader run={run} curve={curve.data} />
      <RunTrouble run={run} />
      <RunVerdict run={run} />
      <Tabs value={shown} onChange={(name) => show(name === "curves" ? "" : (name ?? ""))} keepMounted={false}>
        <Tabs.List>
          {Object.keys(PARTS).map((name) => (
            <Tabs.Tab key={name} value={name}>
              {t(name)}
            </Tabs.Tab>
          ))}
        </Tabs.List>
        {Object.entries(PARTS).map(([name, Part]) => (
          <Tabs.Panel key={name} value={name} pt="md">
            <Part run={run} curve={curve.data} />
          </Tabs.Panel>
        ))}
      </Tabs>
    </>
  );
}
