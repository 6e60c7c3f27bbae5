// The launcher of the original article's design, in the language it was written in: reads the project's parameter and starts a
// build. Around it the least that speaks Lambda's Runtime API, less than AWS's own runtime does. The SDK is its caller's.
'use strict';

const http = require('node:http');

async function handle(event, { getParameter, startBuild }) {
  for (const record of event.Records) {
    const envelope = JSON.parse(record.body);
    const trigger = JSON.parse(envelope.Message);
    const { Parameter } = await getParameter({ Name: `/${process.env.CONFIGPATH}/${trigger.project}` });
    const register = JSON.parse(Parameter.Value);
    const variables = { GITURL: register.gitUrl, GITBRANCH: trigger.branch };
    await startBuild({
      projectName: `${process.env.CONFIGPATH}--${trigger.project}`,
      environmentVariablesOverride: Object.entries(variables).map(([name, value]) => ({ name, value })),
    });
  }
  return { batchItemFailures: [] };
}

const agent = new http.Agent({ keepAlive: true });

function ask(method, path, body) {
  const [host, port] = process.env.AWS_LAMBDA_RUNTIME_API.split(':');
  return new Promise((resolve, reject) => {
    const request = http.request({ host, port, method, path: `/2018-06-01/runtime/${path}`, agent }, (answer) => {
      const pieces = [];
      answer.on('data', (piece) => pieces.push(piece));
      answer.on('end', () => resolve({ headers: answer.headers, text: Buffer.concat(pieces).toString() }));
    });
    request.on('error', reject);
    request.end(body);
  });
}

exports.serve = async (aws) => {
  for (;;) {
    const { headers, text } = await ask('GET', 'invocation/next');
    const id = headers['lambda-runtime-aws-request-id'];
    try {
      await ask('POST', `invocation/${id}/response`, JSON.stringify(await handle(JSON.parse(text), aws)));
    } catch (error) {
      await ask('POST', `invocation/${id}/error`, JSON.stringify({ errorMessage: String(error) }));
    }
  }
};
