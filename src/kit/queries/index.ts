export { containsPattern } from './contains.ts';
export { clampPage, type Page, pageOf, type PageRequest } from './page.ts';
