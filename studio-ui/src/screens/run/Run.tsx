import { Tabs } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { useParams } from "wouter";
import { useGet } from "../../api/queries";
import { Loaded } from "../../components/Loaded";
import { useAddress } from "../../state/address";
import classes from "./Run.module.css";
import { RunCurves } from "./RunCurves";
import { RunHeader } from "./RunHeader";
import { RunLog } from "./RunLog";
import { RunSamples } from "./RunSamples";
import { RunSettings } from "./RunSettings";
import { RunTrouble } from "./RunTrouble";
import { useCurve } from "./useCurve";

const PARTS = { curves: RunCurves, samples: RunSamples, log: RunLog, settings: RunSettings } as const;

/** One run: how far it is, its curves, samples, log and settings, and what can be asked of it. */
export default function Run() {
  const { t } = useTranslation("runs");
  const id = decodeURIComponent(useParams<{ run: string }>().run);
  const run = useGet("/api/runs/{run}", { path: { run: id } });
  const curve = useCurve(id);
  const [part, show] = useAddress("part");
  const shown = part in PARTS ? part : "curves";
  return (
    <div className={classes.screen}>
      <Loaded of={run} height={120}>
        {(facts) => (
          <>
            <RunHeader run={facts} curve={curve.data} />
            <RunTrouble run={facts} />
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
                  <Part run={facts} curve={curve.data} />
                </Tabs.Panel>
              ))}
            </Tabs>
          </>
        )}
      </Loaded>
    </div>
  );
}
