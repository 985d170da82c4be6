#!/usr/bin/env node
process.env.ORT_DISABLE_TELEMETRY = '1';
const { main } = await import('../dist/commands/main.js');
await main(process.argv.slice(2));
