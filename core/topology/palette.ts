import type { LinkState } from "./model.ts";

/** Colours of the light or the dark picture. tests/unit/topology checks WCAG 2 AA: text 4.5:1, lines and borders 3:1, against every background they are on. */
export interface Palette {
    background: string;
    card: string;
    border: string;
    text: string;
    muted: string;
    links: Record<LinkState, string>;
    /** Used in turn. The region's name is on the card as well. */
    regions: string[];
}

export const PALETTES: { light: Palette; dark: Palette } = {
    light: {
        background: "#ffffff",
        card: "#f6f8fa",
        border: "#7d8894",
        text: "#1f2328",
        muted: "#57606a",
        links: { connected: "#1a7f37", planned: "#6e7781", broken: "#cf222e" },
        regions: ["#0969da", "#8250df", "#bc4c00", "#1b7c83", "#bf3989", "#57606a"],
    },
    dark: {
        background: "#0d1117",
        card: "#161b22",
        border: "#6e7681",
        text: "#e6edf3",
        muted: "#9da7b3",
        links: { connected: "#3fb950", planned: "#8b949e", broken: "#ff7b72" },
        regions: ["#58a6ff", "#bc8cff", "#ffa657", "#39c5cf", "#f778ba", "#b1bac4"],
    },
};
