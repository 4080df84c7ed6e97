import { Button, Radio, TextInput } from "@mantine/core";
import { useQueries } from "@tanstack/react-query";
import { type FormEvent, type ReactNode, useEffect, useState } from "react";
import { useTranslation } from "react-i18next";
import { api, ask, type Shape } from "../../api/client";
import { Problem } from "../../api/problem";
import { keyOf, useGet } from "../../api/queries";
import { ErrorCard } from "../../components/ErrorCard";
import { useDraft } from "../../state/draft";
import { usePreferences } from "../../state/preferences";
import { useUsualBase } from "../../state/usualBase";
import classes from "./BaseChoice.module.css";
import { Fits, FitsToo } from "./Fits";
import type { Planned } from "./usePlan";
import { useProjectChange } from "./useTraining";

type Base = Shape<"BaseView">;

/** The bases that there are, as cards; the one that was used last is taken where none was chosen. */
export function BaseChoice({ project, planned }: { project: Shape<"ProjectView">; planned?: Planned }) {
  const { t } = useTranslation("train");
  const known = useGet("/api/bases");
  const change = useProjectChange(project.id);
  const [, prefer] = usePreferences();
  const names = new Map(known.data?.map(({ source, name }) => [source, name]));
  const sources = [...new Set([...(project.base ? [project.base] : []), ...names.keys()])];
  const described = useQueries({
    queries: sources.map((source) => ({
      queryKey: keyOf("/api/bases:describe", { query: { source } }),
      queryFn: () => ask(api.GET("/api/bases:describe", { params: { query: { source } } })),
    })),
  });

  function choose(base: string) {
    change({ base });
    prefer({ base });
  }

  const ready = planned?.estimate?.state !== "estimating"; // what was chosen goes before what might be
  const usual = useUsualBase(project);
  const missing = !project.base && usual !== "";
  // biome-ignore lint/correctness/useExhaustiveDependencies: once, as soon as it is known which
  useEffect(() => {
    if (missing) change({ base: usual });
  }, [missing]);

  return (
    <section className={classes.section}>
      <Radio.Group label={t("base")} description={t("base_says")} value={project.base ?? ""} onChange={choose}>
        <div className={classes.cards}>
          {sources.map((source, at) => (
            <Radio.Card key={source} value={source} className={classes.card} title={source}>
              <BaseCard
                name={described[at]?.data?.name ?? names.get(source) ?? source}
                base={described[at]?.data}
                problem={described[at]?.error}
              >
                {source === project.base
                  ? planned && <Fits estimate={planned.estimate} />
                  : described[at]?.data?.missing.length === 0 && <FitsToo project={project} base={source} ready={ready} />}
              </BaseCard>
            </Radio.Card>
          ))}
        </div>
      </Radio.Group>
      <OtherBase project={project.id} onFound={choose} />
    </section>
  );
}

function BaseCard(props: { name: string; base?: Base; problem: unknown; children?: ReactNode }) {
  const { name, base, problem, children } = props;
  const { t } = useTranslation("train");
  return (
    <>
      <span className={classes.name}>
        <Radio.Indicator />
        {name}
      </span>
      {base && (
        <span className="soft small">
          {base.title} · {t("base_size", { side: base.side })}
        </span>
      )}
      {base && base.missing.length > 0 && <span className={classes.bad}>{t("base_lacks", { parts: base.missing.join(", ") })}</span>}
      {problem instanceof Error && <span className={classes.bad}>{problem.message}</span>}
      {children}
    </>
  );
}

/** A base of which one knows the file, folder or hub id. */
function OtherBase({ project, onFound }: { project: string; onFound: (source: string) => void }) {
  const { t } = useTranslation("train");
  const [source, type, forget] = useDraft(`base:${project}`, "");
  const [problem, setProblem] = useState<Problem>();
  const [looking, setLooking] = useState(false);

  async function look(event: FormEvent) {
    event.preventDefault();
    setLooking(true);
    setProblem(undefined);
    try {
      await ask(api.GET("/api/bases:describe", { params: { query: { source: source.trim() } } }));
      onFound(source.trim());
      forget();
    } catch (error) {
      if (error instanceof Problem) setProblem(error);
      else throw error;
    } finally {
      setLooking(false);
    }
  }

  return (
    <form onSubmit={look} className={classes.other}>
      <TextInput
        label={t("other_base")}
        placeholder={t("other_base_example")}
        value={source}
        onChange={(event) => type(event.currentTarget.value)}
      />
      <Button type="submit" variant="default" disabled={!source.trim()} loading={looking}>
        {t("use_base")}
      </Button>
      {problem && <ErrorCard key={problem.message} problem={problem} />}
    </form>
  );
}
