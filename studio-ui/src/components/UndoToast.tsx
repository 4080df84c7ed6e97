import { Button, Group } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import i18next from "../words";

const LONG_ENOUGH = 8000; // milliseconds to decide

/** A quiet word about what was done, with a button that takes it back. */
export function sayWithUndo(message: string, undo: () => void): void {
  const id = notifications.show({
    autoClose: LONG_ENOUGH,
    withBorder: true,
    message: (
      <Group justify="space-between" wrap="nowrap">
        {message}
        <Button
          size="xs"
          variant="light"
          flex="none"
          onClick={() => {
            notifications.hide(id);
            undo();
          }}
        >
          {i18next.t("frame:undo")}
        </Button>
      </Group>
    ),
  });
}
