// The shapes of the service's replies. The service's own documentation is at /docs.

/** @typedef {string | number | bigint} Id */
/** @typedef {{name: string, kind: string, users: number, items: number, interactions: number,
 *   created: string, metrics: Record<string, any>, can: string[], ratings: Ratings | null,
 *   trouble?: string | null}} ModelInfo */
/** @typedef {{min: number, max: number, values: number[] | null}} Ratings */
/** @typedef {{kind: string, name: string, label: string, amount: number}} Reason */
/** @typedef {{item_id: Id, rank: number, score: number, source: string, title: string,
 *   features: Record<string, any>, reasons?: Reason[] | null}} Listed */
/** @typedef {{item_id: Id, title: string, interactions: number, features: Record<string, any>}} Item */
/** @typedef {{user_id: Id, features: Record<string, any>,
 *   history: {item_id: Id, title: string, weight: number, time: string | null,
 *     record_id: number | null}[]}} User */
/** @typedef {{name: string, kind: "number" | "category" | "list" | "text" | "date" | "flag",
 *   values?: any[] | null, min?: any, max?: any, label?: string, labels?: Record<string, string>}} Field */
/** @typedef {{user_features: Field[], item_fields: Field[]}} Schema */
/** @typedef {{item_id: Id, title: string, x: number, y: number, interactions: number,
 *   group: string | null}} Point */

export {};
