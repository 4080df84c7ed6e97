import { Kbd, Modal, SimpleGrid } from "@mantine/core";
import { useTranslation } from "react-i18next";
import classes from "./KeysDialog.module.css";
import { KEYS } from "./keys";

/** The list of keys, made from the one table. */
export function KeysDialog({ opened, onClose }: { opened: boolean; onClose: () => void }) {
  const { t } = useTranslation("keys");
  return (
    <Modal opened={opened} onClose={onClose} title={t("title")} size="xl">
      <SimpleGrid cols={{ base: 1, sm: 2 }} spacing="xl">
        {Object.entries(KEYS).map(([where, keys]) => (
          <section key={where}>
            <h3>{t(`in_${where}`)}</h3>
            <dl className={classes.list}>
              {keys.map((key) => (
                <div key={key.press} className={classes.row}>
                  <dt>
                    <Kbd>{shown(key.press)}</Kbd>
                  </dt>
                  <dd>{t(key.does)}</dd>
                </div>
              ))}
            </dl>
          </section>
        ))}
      </SimpleGrid>
    </Modal>
  );
}

const SIGNS: Record<string, string> = {
  ArrowUp: "↑",
  ArrowDown: "↓",
  ArrowLeft: "←",
  ArrowRight: "→",
  Arrows: "↑↓←→",
  "1..9": "1 – 9",
  Escape: "Esc",
};

/** A press as keyboards have it on their keys. */
function shown(press: string): string {
  if (press === "+") return press;
  return press
    .split("+")
    .map((key) => SIGNS[key] ?? key)
    .join("+");
}
