import { Button } from "@mantine/core";
import { Compass } from "lucide-react";
import { useTranslation } from "react-i18next";
import { Link } from "wouter";
import { EmptyState } from "../components/EmptyState";

/** An address that leads nowhere. */
export function Gone() {
  const { t } = useTranslation("frame");
  return (
    <EmptyState
      icon={<Compass size={32} />}
      action={
        <Button component={Link} href="/">
          {t("to_home")}
        </Button>
      }
    >
      {t("gone")}
    </EmptyState>
  );
}
