/** An instant as people and files have it: `2026-12-01T10:00:00.000Z`. */
export const instantText = (atMs: number): string => new Date(atMs).toISOString()
