import { MantineProvider } from "@mantine/core";
import { ModalsProvider } from "@mantine/modals";
import { Notifications } from "@mantine/notifications";
import { QueryClientProvider } from "@tanstack/react-query";
import { lazy, Suspense } from "react";
import { Route, Router, Switch } from "wouter";
import { makeClient } from "./api/cache";
import { Freshness } from "./events/Freshness";
import { Broken } from "./frame/Broken";
import { Frame } from "./frame/Frame";
import { Gone } from "./frame/Gone";
import { Habits } from "./frame/Habits";
import { askAhead } from "./screens/ahead";
import { Home } from "./screens/home/Home";
import { usePathAsItIs, useSearchAsItIs } from "./state/address";
import { theme, variables } from "./theme/theme";

const client = makeClient();
askAhead(client, location);

/** Every screen with its address. Each is a file of its own in the build, fetched when it is first opened. */
const SCREENS: Record<string, React.ComponentType> = {
  "/": Home,
  "/projects/:project/images": lazy(() => import("./screens/images/Images")),
  "/projects/:project/images/*": lazy(() => import("./screens/picture/Picture")),
  "/projects/:project/captions": lazy(() => import("./screens/captions/Captions")),
  "/runs": lazy(() => import("./screens/runs/Runs")),
  "/projects/:project/proof": lazy(() => import("./screens/proof/ProjectProof")),
  "/runs/:run/proof": lazy(() => import("./screens/proof/Proof")),
  "/runs/:run": lazy(() => import("./screens/run/Run")),
  "/sweeps/:sweep": lazy(() => import("./screens/sweep/Sweep")),
  "/projects/:project/train": lazy(() => import("./screens/train/Train")),
  "/playground": lazy(() => import("./screens/playground/Playground")),
  "/library": lazy(() => import("./screens/library/Library")),
  "/library/:file": lazy(() => import("./screens/lora/Lora")),
  "/settings/:section?": lazy(() => import("./screens/settings/Settings")),
};

export function App() {
  return (
    <MantineProvider theme={theme} cssVariablesResolver={variables} defaultColorScheme="auto">
      <QueryClientProvider client={client}>
        <ModalsProvider>
          <Notifications position="bottom-right" containerWidth={320} />
          <Router hook={usePathAsItIs} searchHook={useSearchAsItIs}>
            <Freshness />
            <Habits />
            <Frame>
              <Broken>
                <Suspense>
                  <Switch>
                    {Object.entries(SCREENS).map(([path, Screen]) => (
                      <Route key={path} path={path}>
                        <Screen />
                      </Route>
                    ))}
                    <Route>
                      <Gone />
                    </Route>
                  </Switch>
                </Suspense>
              </Broken>
            </Frame>
          </Router>
        </ModalsProvider>
      </QueryClientProvider>
    </MantineProvider>
  );
}
