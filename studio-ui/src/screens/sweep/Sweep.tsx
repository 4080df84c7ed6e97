import { Tabs } from "@mantine/core";
import { useTranslation } from "react-i18next";
import type { Shape } from "../../api/client";
import { useGet } from "../../api/queries";
import { ErrorCard } from "../../components/ErrorCard";
import { Loaded } from "../../components/Loaded";
import { NotThere } from "../../components/NotThere";
import { useAddress, useAddressPart } from "../../state/address";
import { NotBegun } from "../run/NotBegun";
import { Effects } from "./Effects";
import { useJobOfSweep } from "./jobOf";
import { Recommended } from "./Recommended";
import classes from "./Sweep.module.css";
import { SweepHeader } from "./SweepHeader";
import { SweepLog } from "./SweepLog";
import { Trials } from "./Trials";

const LOOK_EVERY = 2000; // milliseconds, while it goes on
const GOING: ReadonlySet<string> = new Set(["waiting", "running", "stopping"]);

/** One sweep: its trials as they go, which to use, and what each setting did. */
export default function Sweep() {
  const { t } = useTranslation("sweeps");
  const id = useAddressPart("sweep");
  const job = useJobOfSweep(id);
  const jobs = useGet("/api/jobs");
  const listed = useGet("/api/sweeps", undefined, {
    refetchInterval: (query) => (job && !isIn(query.state.data, id) ? LOOK_EVERY : false),
  });
  const waits = job !== undefined && !isIn(listed.data, id);
  const sweep = useGet(
    "/api/sweeps/{sweep}",
    { path: { sweep: id } },
    {
      enabled: listed.isFetched && jobs.isFetched && !waits,
      refetchInterval: ({ state }) => (GOING.has(state.data?.state ?? "") ? LOOK_EVERY : false),
    },
  );
  return (
    <div className={classes.screen}>
      {waits ? (
        <NotBegun job={job} />
      ) : (
        <Loaded of={sweep} height={240} gone={(problem) => <NotThere problem={problem} href="/runs" words={t("runs:all_runs")} />}>
          {(facts) => <SweepThatBegan key={id} sweep={facts} />}
        </Loaded>
      )}
    </div>
  );
}

function isIn(sweeps: Shape<"SweepView">[] | undefined, id: string): boolean {
  return sweeps?.some((sweep) => sweep.id === id) ?? false;
}

function SweepThatBegan({ sweep }: { sweep: Shape<"SweepFacts"> }) {
  const { t } = useTranslation("sweeps");
  const [part, show] = useAddress("part");
  return (
    <>
      <SweepHeader sweep={sweep} />
      {sweep.state === "failed" && sweep.reason && <ErrorCard key={sweep.reason} problem={sweep.reason} />}
      <Recommended sweep={sweep} />
      <Tabs value={part === "log" ? "log" : "trials"} onChange={(name) => show(name === "log" ? "log" : "")} keepMounted={false}>
        <Tabs.List>
          <Tabs.Tab value="trials">{t("trials")}</Tabs.Tab>
          <Tabs.Tab value="log">{t("runs:log")}</Tabs.Tab>
        </Tabs.List>
        <Tabs.Panel value="trials" pt="md">
          <div className={classes.parts}>
            <Trials sweep={sweep} />
            <Effects sweep={sweep} />
          </div>
        </Tabs.Panel>
        <Tabs.Panel value="log" pt="md">
          <SweepLog sweep={sweep} />
        </Tabs.Panel>
      </Tabs>
    </>
  );
}
