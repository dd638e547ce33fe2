import '../tools/require-node.js';

// A static import would be resolved before the check above has run.
await import('./main.ts');
