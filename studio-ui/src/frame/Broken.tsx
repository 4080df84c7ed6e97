import { Button } from "@mantine/core";
import { TriangleAlert } from "lucide-react";
import { Component, type ReactNode } from "react";
import { EmptyState } from "../components/EmptyState";
import i18next from "../words";

/** Where a screen meets a mistake of its own, the frame stays, and says so. */
export class Broken extends Component<{ children: ReactNode }, { error?: Error }> {
  override state: { error?: Error } = {};

  static getDerivedStateFromError(error: Error) {
    return { error };
  }

  override render() {
    if (!this.state.error) return this.props.children;
    return (
      <EmptyState
        icon={<TriangleAlert size={32} />}
        action={<Button onClick={() => location.reload()}>{i18next.t("frame:reload")}</Button>}
      >
        {i18next.t("frame:broken", { what: this.state.error.message })}
      </EmptyState>
    );
  }
}
