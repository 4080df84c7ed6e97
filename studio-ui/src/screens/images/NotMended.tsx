import { useTranslation } from "react-i18next";
import { PartFailed } from "../../components/PartFailed";
import type { FailedMend } from "./usePictureChanges";

/** Some of the pictures that were to be mended could not be: which, why, and once more. */
export function NotMended({ problems, of, onAgain, onClose }: FailedMend) {
  const { t } = useTranslation("images");
  return (
    <PartFailed
      message={t("not_mended", { count: problems.length, of })}
      reasons={problems.map(({ picture, sentence }) => `${picture}: ${sentence}`)}
      onAgain={onAgain}
      onClose={onClose}
    />
  );
}
