/** What workerd has as globals and Node.js has not, or not so. */
export { Response, WebSocket, WebSocketPair, WebSocketRequestResponsePair } from './cloudflare.ts'
