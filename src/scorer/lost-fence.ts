/** The work was given to another worker meanwhile; what this one wrote is rolled back. */
export class LostFence extends Error {
  constructor() {
    super('the lease of this work was lost');
    this.name = 'LostFence';
  }
}
