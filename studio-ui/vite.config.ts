import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

// `LORASMITH=http://127.0.0.1:8611 npm run dev` shows the sources over a running `lorasmith studio --no-token`.
const studio = process.env.LORASMITH ?? "http://127.0.0.1:8611";

export default defineConfig({
  plugins: [react()],
  build: { outDir: "../src/lorasmith/studio/static", emptyOutDir: true, chunkSizeWarningLimit: 1500, assetsInlineLimit: 0 },
  server: { proxy: { "/api": studio, "/files": studio, "/docs": studio } },
  test: { environment: "node", include: ["src/**/*.test.ts"] },
});
