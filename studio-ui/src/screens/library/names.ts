import type { Lora } from "./useLoras";

type Named = Pick<Lora, "id" | "name" | "file">;

/**
 * Id -> what each LoRA is called among these: by its name, and where several have that, with as much of its folder as tells them apart:
 * `mimi (old)` and `mimi (new)`.
 */
export function namesOf(loras: readonly Named[]): Map<string, string> {
  const alike = new Map<string, Named[]>();
  for (const lora of loras) alike.set(lora.name, [...(alike.get(lora.name) ?? []), lora]);
  return new Map([...alike.values()].flatMap((some) => some.map((lora) => [lora.id, nameAmong(lora, some)])));
}

function nameAmong(lora: Named, alike: readonly Named[]): string {
  if (alike.length === 1) return lora.name;
  const own = foldersOf(lora);
  const others = alike.filter((other) => other !== lora).map(foldersOf);
  for (let count = 1; count < own.length; count++) {
    const end = own.slice(-count).join("/");
    if (others.every((other) => other.slice(-count).join("/") !== end)) return `${lora.name} (${end})`;
  }
  return `${lora.name} (${lora.file})`;
}

function foldersOf({ file }: Named): string[] {
  return file.split(/[\\/]/).slice(0, -1);
}
