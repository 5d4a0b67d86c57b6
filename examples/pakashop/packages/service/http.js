/**
 * node:http, without what an `import` of it costs: an ES module import reads every export at once, and with
 * `WebSocket` and its friends the whole of fetch, 70 ms of CPU in each of fifteen processes.
 */
export const http = process.getBuiltinModule('node:http')
