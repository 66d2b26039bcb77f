/**
 * Lets other tasks have their turn, messages and answers of the network among them. A timer would do so once a second where
 * the page is hidden.
 */
export function nextTask(): Promise<void> {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(undefined);
  });
}
