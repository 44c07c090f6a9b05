/** What a host has on its disk once it has joined. */
export function identityFiles(
  key: string,
  who: { name: string; nodeId: string; clusterId: string },
): Map<string, string> {
  const identity = {
    nodeId: who.nodeId,
    nodeName: who.name,
    clusterId: who.clusterId,
    clusterName: 'prod',
    url: 'https://control.test',
    sessionPath: '/v1/sessions/prod',
  }
  return new Map([
    ['/state/identity.json', JSON.stringify(identity)],
    ['/state/identity.key', key],
  ])
}
