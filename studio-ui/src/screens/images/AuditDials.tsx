import { NativeSelect } from "@mantine/core";
import { useTranslation } from "react-i18next";
import type { Shape } from "../../api/client";
import { CheckList } from "./CheckList";
import classes from "./SideList.module.css";
import { UpscalerDial } from "./UpscalerDial";
import { useResolution } from "./useResolution";

const RESOLUTIONS = [512, 768, 1024, 1280, 1536, 2048]; // that bases are trained at

interface Props {
  project: string;
  audit: Shape<"AuditView">;
  finding: string;
  onFinding: (code: string) => void;
}

/** What an expert chooses: the resolution that pictures are judged for, what enlarges those that are too small, and what is looked for. */
export function AuditDials(props: Props) {
  const { t } = useTranslation("images");
  const [resolution, judgeFor] = useResolution();
  return (
    <details>
      <summary className="soft small">{t("expert")}</summary>
      <div className={classes.dials}>
        <NativeSelect
          size="xs"
          label={t("judge_for")}
          value={resolution ?? ""}
          onChange={(event) => judgeFor(Number(event.currentTarget.value) || undefined)}
          data={[
            { value: "", label: t("as_base") },
            ...RESOLUTIONS.map((pixels) => ({ value: String(pixels), label: t("pixels", { pixels }) })),
          ]}
        />
        <UpscalerDial project={props.project} />
        <CheckList {...props} />
      </div>
    </details>
  );
}
