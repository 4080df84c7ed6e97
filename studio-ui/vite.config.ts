import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

// `LORASMITH=http://127.0.0.1:8611 npm run dev` shows the sources over a running `lorasmith studio --no-token`.
const studio = process.env.LORASMITH ?? "http://127.0.0.1:8611";

const SHARED = /node_modules\/(?!uplot)|vite\/preload|src\/(api|components(?!\/curve)|events|frame|keys|state|theme|uploads|words)\//;

export default defineConfig({
  plugins: [react()],
  build: {
    outDir: "../src/lorasmith/studio/static",
    emptyOutDir: true,
    chunkSizeWarningLimit: 1500,
    assetsInlineLimit: 0,
    // A screen is one file beside what all share. Left alone, what two screens have in common is in a file of its own, and a screen in forty.
    rolldownOptions: {
      output: {
        codeSplitting: {
          groups: [{ name: "shared", test: SHARED }],
        },
      },
    },
  },
  server: { proxy: { "/api": studio, "/files": studio, "/docs": studio } },
  test: { environment: "node", include: ["src/**/*.test.ts"] },
});
