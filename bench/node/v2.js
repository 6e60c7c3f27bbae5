// With version 2 of the SDK, as the article has it.
'use strict';

const AWS = require('aws-sdk');
const { serve } = require('./launcher.js');

AWS.config.update({ region: process.env.AWS_REGION, maxRetries: 1 });
const endpoint = process.env.AWS_ENDPOINT_URL;
const ssm = new AWS.SSM({ endpoint });
const codebuild = new AWS.CodeBuild({ endpoint });

serve({
  getParameter: (asked) => ssm.getParameter(asked).promise(),
  startBuild: (asked) => codebuild.startBuild(asked).promise(),
});
