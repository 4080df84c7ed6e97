import {
  type CSSVariablesResolver,
  createTheme,
  defaultVariantColorsResolver,
  type MantineColorsTuple,
  type VariantColorsResolver,
} from "@mantine/core";
import i18next from "i18next";

/** Sizes and names of the components' theme. Its colours are the tokens (tokens.css), put in place of Mantine's by `variables`. */
const accent: MantineColorsTuple = [
  "#eef0fd",
  "#dfe4ff",
  "#c0c9ff",
  "#9aa8ff",
  "#7586f0",
  "#5568e0",
  "#3a4fd0",
  "#3144b6",
  "#28399b",
  "#1d2b7d",
];

/** What is filled with the accent has the words' colour for it, in both schemes. */
const variantColorResolver: VariantColorsResolver = (asked) => {
  const found = defaultVariantColorsResolver(asked);
  const filled = asked.variant === "filled" && (asked.color === undefined || asked.color === "accent");
  return filled ? { ...found, color: "var(--on-accent)" } : found;
};

/** The button that closes a dialog, by its name. */
const closeButton = () => ({ "aria-label": i18next.t("frame:close") });

/** A dialog's title looks like the heading that it is. */
const title = { fontSize: "16px", lineHeight: "24px", fontWeight: 600 };

/** What stands small below a label, or says what is wrong. */
const small = { fontSize: "12px", lineHeight: "16px" };

export const theme = createTheme({
  primaryColor: "accent",
  primaryShade: { light: 6, dark: 3 },
  autoContrast: true,
  variantColorResolver,
  colors: { accent },
  fontFamily: 'system-ui, -apple-system, "Segoe UI", Roboto, "Hiragino Sans", "Yu Gothic UI", "Noto Sans CJK JP", IPAGothic, sans-serif',
  fontSizes: { xs: "12px", sm: "13px", md: "14px", lg: "16px", xl: "20px" },
  lineHeights: { xs: "16px", sm: "20px", md: "22px", lg: "24px", xl: "28px" },
  spacing: { xs: "4px", sm: "8px", md: "12px", lg: "16px", xl: "24px" },
  radius: { xs: "4px", sm: "4px", md: "4px", lg: "8px", xl: "12px" },
  defaultRadius: "sm",
  respectReducedMotion: true,
  cursorType: "pointer",
  components: {
    InputWrapper: { styles: { description: small, error: small } },
    Modal: {
      defaultProps: () => ({
        radius: "xl",
        transitionProps: { duration: 180 },
        overlayProps: { backgroundOpacity: 0.4 },
        closeButtonProps: closeButton(),
        styles: { title },
      }),
    },
    Drawer: {
      defaultProps: () => ({
        transitionProps: { duration: 180 },
        overlayProps: { backgroundOpacity: 0.3 },
        closeButtonProps: closeButton(),
        styles: { title },
      }),
    },
    Notification: { defaultProps: () => ({ closeButtonProps: closeButton() }) },
    Tooltip: { defaultProps: { openDelay: 400, withArrow: true, events: { hover: true, focus: true, touch: false } } },
  },
});

const colours = {
  "--mantine-color-body": "var(--ground)",
  "--mantine-color-text": "var(--text)",
  "--mantine-color-dimmed": "var(--soft)",
  "--mantine-color-placeholder": "var(--soft)",
  "--mantine-color-default": "var(--ground)",
  "--mantine-color-default-hover": "var(--panel)",
  "--mantine-color-default-border": "var(--border)",
  "--mantine-color-error": "var(--bad)",
  "--mantine-color-anchor": "var(--accent)",
  "--mantine-primary-color-contrast": "var(--on-accent)",
};

/** Mantine draws fields in shades of its own, whose borders are too faint to be seen by everybody. */
const light = { ...colours, "--mantine-color-gray-4": "var(--border)" };
const dark = { ...colours, "--mantine-color-dark-4": "var(--border)", "--mantine-color-dark-6": "var(--panel)" };

export const variables: CSSVariablesResolver = () => ({ variables: {}, light, dark });
