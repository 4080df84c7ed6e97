/** What one does to a picture with boxes. */
export type Tool = "crop" | "erase" | "split";

export const TOOLS: readonly Tool[] = ["crop", "erase", "split"];

export function isTool(name: string): name is Tool {
  return TOOLS.some((tool) => tool === name);
}
