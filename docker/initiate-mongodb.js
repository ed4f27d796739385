// Run by mongosh, connected to mongodb-1 as root. What exists stays, and the password follows its file.
const fs = require("node:fs");
const password = fs.readFileSync("/secrets/mongodb-password", "utf8").trim();

const members = [1, 2, 3].map((id) => ({ _id: id - 1, host: `mongodb-${id}:27017`, priority: id === 1 ? 2 : 1 }));
try {
  rs.initiate({ _id: "casino", members });
} catch (error) {
  if (error.codeName !== "AlreadyInitialized") throw error;
}

// Users can only be written on the primary, which may be another one after a restart.
const deadline = Date.now() + 60_000;
const findPrimary = () => rs.status().members.find(({ stateStr }) => stateStr === "PRIMARY")?.name;
while (!findPrimary()) {
  if (Date.now() > deadline) throw new Error("no primary was elected within 60 s");
  sleep(200);
}
const rootPassword = fs.readFileSync("/secrets/mongodb-root-password", "utf8").trim();
const primary = connect(`mongodb://root:${rootPassword}@${findPrimary()}/admin?directConnection=true`);
const notifications = primary.getSiblingDB("notifications");
if (notifications.getUser("notifications") === null) {
  notifications.createUser({ user: "notifications", pwd: password, roles: ["readWrite"] });
} else {
  notifications.changeUserPassword("notifications", password);
}
print(`the replica set is as it should be; ${findPrimary()} is primary`);
