import { useTranslation } from "react-i18next";
import { number, percent } from "../../components/format";
import classes from "./Buckets.module.css";
import type { Plan } from "./usePlan";

/** The sizes in which pictures are trained. */
export function Buckets({ buckets }: { buckets: Plan["buckets"] }) {
  const { t } = useTranslation("train");
  return (
    <details className={classes.buckets}>
      <summary>{t("buckets", { count: buckets.length })}</summary>
      <table>
        <thead>
          <tr className="soft">
            <th>{t("bucket")}</th>
            <th>{t("pictures")}</th>
            <th>{t("batches")}</th>
            <th>{t("cropped")}</th>
          </tr>
        </thead>
        <tbody>
          {buckets.map((bucket) => (
            <tr key={`${bucket.width}x${bucket.height}`}>
              <td>
                {bucket.width} × {bucket.height}
              </td>
              <td>{number(bucket.pictures)}</td>
              <td>{number(bucket.batches)}</td>
              <td>{percent(bucket.lost)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </details>
  );
}
