import { notifications } from "@mantine/notifications";
import { problemOf } from "../api/problem";

/** A quiet word in the corner. */
export function say(message: string): void {
  notifications.show({ message, autoClose: 4000, withBorder: true });
}

/** What went wrong, in the corner, until it is closed. For calls that belong to no place on the page. */
export function sayProblem(error: unknown): void {
  notifications.show({ message: problemOf(error, 0).message, color: "red", autoClose: false, withBorder: true });
}
