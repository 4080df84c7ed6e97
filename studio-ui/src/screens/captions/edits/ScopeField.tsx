import { Input, SegmentedControl } from "@mantine/core";
import { useTranslation } from "react-i18next";
import type { Scope } from "./wanted";

/** Which captions: those of the selected pictures, those that the filter finds, or all. */
export function ScopeField(props: { scope: Scope; onScope: (scope: Scope) => void; filter: string; selected: number }) {
  const { t } = useTranslation("captions");
  return (
    <Input.Wrapper label={t("scope")} labelElement="div">
      <SegmentedControl
        fullWidth
        aria-label={t("scope")}
        value={props.scope}
        onChange={(value) => props.onScope(value as Scope)}
        data={[
          { value: "selection", label: t("selected", { count: props.selected }), disabled: props.selected === 0 },
          { value: "filter", label: t("filtered"), disabled: props.filter === "" },
          { value: "all", label: t("all_captions") },
        ]}
      />
    </Input.Wrapper>
  );
}
