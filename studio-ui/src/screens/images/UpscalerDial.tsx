import { Anchor, NativeSelect } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { Link } from "wouter";
import { useGet } from "../../api/queries";
import { Sentence } from "../../components/Sentence";
import classes from "./SideList.module.css";
import { useProjectChange } from "./useProjectChange";

/** What enlarges pictures that are too small: Lanczos, or one of the networks that the settings list. */
export function UpscalerDial({ project }: { project: string }) {
  const { t } = useTranslation("images");
  const { data: details } = useGet("/api/projects/{project}", { path: { project } });
  const { data: upscalers } = useGet("/api/models", { query: { kind: "upscaler" } });
  const change = useProjectChange(project);
  if (!details || !upscalers) return null;
  const { upscaler } = details;
  const chosen = upscalers.find(({ source }) => source === upscaler);
  const problems = [...new Set(upscalers.map(({ problem }) => problem).filter(Boolean))];
  const gone = upscaler !== "" && chosen === undefined;
  return (
    <div className={classes.upscaler}>
      <NativeSelect
        size="xs"
        label={t("upscaler")}
        value={upscaler}
        onChange={({ currentTarget: { value } }) => change(() => ({ upscaler: value }))}
        data={[
          { value: "", label: t("lanczos") },
          ...upscalers.map(({ source, name, problem }) => ({
            value: source,
            label: name,
            disabled: problem !== "" && source !== upscaler,
          })),
          ...(gone ? [{ value: upscaler, label: t("upscaler_gone", { name: upscaler.split(/[\\/]/).at(-1) }) }] : []),
        ]}
      />
      <p className="soft small">{t(upscaler === "" ? "lanczos_is" : "upscaler_is")}</p>
      {problems.map((problem) => (
        <p key={problem} className={`small ${chosen?.problem === problem ? classes.problem : "soft"}`}>
          <Sentence>{problem}</Sentence>
        </p>
      ))}
      {upscalers.length === 0 && (
        <p className="small">
          <Anchor component={Link} href="/settings/upscalers" inherit>
            {t("add_upscaler")}
          </Anchor>
        </p>
      )}
    </div>
  );
}
