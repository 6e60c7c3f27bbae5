// With version 3 of the SDK, of which esbuild keeps what is used, in one file.
import { CodeBuildClient, StartBuildCommand } from '@aws-sdk/client-codebuild';
import { GetParameterCommand, SSMClient } from '@aws-sdk/client-ssm';
import { serve } from './launcher.js';

const settings = { region: process.env.AWS_REGION, endpoint: process.env.AWS_ENDPOINT_URL, maxAttempts: 2 };
const ssm = new SSMClient(settings);
const codebuild = new CodeBuildClient(settings);

serve({
  getParameter: (asked) => ssm.send(new GetParameterCommand(asked)),
  startBuild: (asked) => codebuild.send(new StartBuildCommand(asked)),
});
