/** The accounts and regions that the tests call from: account 111111111111, and 222222222222 as the other account. */
export const FRANKFURT = { account: "111111111111", region: "eu-central-1" };
export const IRELAND = { account: "111111111111", region: "eu-west-1" };
export const VIRGINIA = { account: "111111111111", region: "us-east-1" };
export const OTHER_FRANKFURT = { account: "222222222222", region: "eu-central-1" };
export const OTHER_IRELAND = { account: "222222222222", region: "eu-west-1" };
