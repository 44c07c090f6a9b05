/** Version of the control plane, which is that of its API. */
export const API_VERSION = '0.1.0'
