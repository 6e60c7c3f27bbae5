const { App, Stack, aws_ssm } = require("aws-cdk-lib");

const app = new App();
const stack = new Stack(app, "Site");
new aws_ssm.StringParameter(stack, "Greeting", {
  parameterName: "/site/greeting",
  stringValue: "Hello",
});
