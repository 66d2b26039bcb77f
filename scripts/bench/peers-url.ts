/** Where the bench's server has the packages that it is compared with. */
export const PEERS_URL = '/bench-files/peers/';
