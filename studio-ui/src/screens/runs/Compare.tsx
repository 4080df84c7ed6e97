import { useQueries } from "@tanstack/react-query";
import { Fragment } from "react";
import { useTranslation } from "react-i18next";
import { Link } from "wouter";
import { api, ask, type Shape } from "../../api/client";
import { keyOf, useGet } from "../../api/queries";
import { Curve, type Line } from "../../components/curve/Curve";
import { smoothed } from "../../components/curve/series";
import { ErrorCard } from "../../components/ErrorCard";
import { StudioImage } from "../../components/image/StudioImage";
import tables from "../../components/Table.module.css";
import { useTold } from "../../words/told";
import { imagesAStep } from "../run/facts";
import { RunState } from "./RunState";
import classes from "./Runs.module.css";

const SMOOTHING = 0.9;

/** Runs side by side: where their settings differ, their curves over the images seen, their samples from the same seed, their verdicts. */
export function Compare({ ids }: { ids: string[] }) {
  const { t } = useTranslation("runs");
  const { told } = useTold();
  const differences = useGet("/api/runs:compare", { query: { runs: ids } });
  const runs = useEach(ids, (run) => ({
    queryKey: keyOf("/api/runs/{run}", { path: { run } }),
    queryFn: () => ask(api.GET("/api/runs/{run}", { params: { path: { run } } })),
  }));
  const curves = useEach(ids, (run) => ({
    queryKey: [...keyOf("/api/runs/{run}/curve", { path: { run } }), "whole"],
    queryFn: () => ask(api.GET("/api/runs/{run}/curve", { params: { path: { run } } })),
  }));
  const samples = useEach(ids, (run) => ({
    queryKey: keyOf("/api/runs/{run}/samples", { path: { run } }),
    queryFn: () => ask(api.GET("/api/runs/{run}/samples", { params: { path: { run } } })),
  }));
  return (
    <>
      {differences.error && <ErrorCard problem={differences.error} onAgain={() => differences.refetch()} />}
      <section className={classes.scroll}>
        <table className={`${tables.table} ${classes.table} ${classes.differences}`} aria-label={t("differences")}>
          <thead>
            <tr>
              <th scope="col">{t("setting")}</th>
              {ids.map((id, index) => (
                <th key={id} scope="col">
                  <Link href={`/runs/${encodeURIComponent(id)}`}>{runs[index]?.data?.name ?? id}</Link>
                  <div>{runs[index]?.data && <RunState run={runs[index].data} />}</div>
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            <tr>
              <th scope="row">{t("verdict")}</th>
              {ids.map((id, index) => (
                <td key={id}>{told(runs[index]?.data?.verdict ?? "", runs[index]?.data?.said) || t("not_proven")}</td>
              ))}
            </tr>
            {differences.data?.map(({ setting, values }) => (
              <tr key={setting}>
                <th scope="row">{setting}</th>
                {ids.map((id) => (
                  <td key={id}>{values[id] == null ? "" : String(JSON.stringify(values[id])).replace(/^"|"$/g, "")}</td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </section>
      <section>
        <h2>{t("loss")}</h2>
        <Curve
          title={t("loss")}
          scale={1}
          xLabel={t("x_images")}
          lines={ids.flatMap((id, index): Line[] => lineOf(id, index, curves[index]?.data, runs[index]?.data))}
        />
      </section>
      <section>
        <h2>{t("same_seed")}</h2>
        <SameSeed ids={ids} samples={samples.map((each) => each.data ?? [])} />
      </section>
    </>
  );
}

/** One query for each run. */
function useEach<Data>(ids: string[], query: (run: string) => { queryKey: readonly unknown[]; queryFn: () => Promise<Data> }) {
  return useQueries({ queries: ids.map(query) });
}

function lineOf(id: string, index: number, curve: Shape<"CurveView"> | undefined, run: Shape<"RunFacts"> | undefined): Line[] {
  const loss = curve?.series["loss/step"];
  if (!loss || !run) return [];
  const images = imagesAStep(run.settings);
  return [
    {
      label: run.name || id,
      colour: index + 1,
      points: { steps: loss.steps.map((step) => step * images), values: smoothed(loss.values, SMOOTHING) },
    },
  ];
}

/** The last samples of each run that were generated from the same prompt and seed. */
function SameSeed({ ids, samples }: { ids: string[]; samples: Shape<"SampleView">[][] }) {
  const { t } = useTranslation("runs");
  const last = samples.map((all) => new Map(all.map((one) => [`${one.seed} ${one.prompt}`, one])));
  const shared = [...(last[0]?.keys() ?? [])].filter((key) => last.filter((each) => each.has(key)).length > 1);
  if (shared.length === 0) return <p className="soft">{t("no_same_seed")}</p>;
  return (
    <div className={classes.same} style={{ gridTemplateColumns: `repeat(${ids.length}, minmax(120px, 256px))` }}>
      {shared.map((key) => (
        <Fragment key={key}>
          <p className={classes.prompt}>{last[0]?.get(key)?.prompt}</p>
          {ids.map((id, index) => {
            const sample = last[index]?.get(key);
            return sample ? (
              <StudioImage key={id} src={sample.url} alt={t("sample_of", { row: id, column: sample.prompt })} loading="lazy" />
            ) : (
              <span key={id} />
            );
          })}
        </Fragment>
      ))}
    </div>
  );
}
