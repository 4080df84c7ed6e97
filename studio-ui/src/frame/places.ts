import { House, Image, Library, type LucideIcon, Play, Settings, Shapes, SquarePen, Trophy, Zap } from "lucide-react";

/** Where one can go: the rail, the palette and the `g` keys are made from these. */
export interface Place {
  /** Its words: a key of words/LANGUAGE/frame.json. */
  name: string;
  icon: LucideIcon;
  /** Its address, in a project where it belongs to one. */
  address: (project: string) => string;
  /** Whether it belongs to the open project. */
  ofProject: boolean;
  /** The key after `g`. */
  key?: string;
}

export const PLACES: readonly Place[] = [
  { name: "home", icon: House, address: () => "/", ofProject: false, key: "h" },
  { name: "images", icon: Image, address: (project) => `/projects/${project}/images`, ofProject: true, key: "i" },
  { name: "captions", icon: SquarePen, address: (project) => `/projects/${project}/captions`, ofProject: true, key: "c" },
  { name: "train", icon: Zap, address: (project) => `/projects/${project}/train`, ofProject: true, key: "t" },
  { name: "runs", icon: Play, address: () => "/runs", ofProject: false, key: "r" },
  { name: "proof", icon: Trophy, address: (project) => `/projects/${project}/proof`, ofProject: true, key: "p" },
  { name: "library", icon: Library, address: () => "/library", ofProject: false, key: "l" },
  { name: "playground", icon: Shapes, address: () => "/playground", ofProject: false, key: "y" },
  { name: "settings", icon: Settings, address: () => "/settings", ofProject: false },
];
