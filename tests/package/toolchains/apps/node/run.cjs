const { createHome } = require('ears-only');
const { transcript } = require('./scenario.js');

transcript(createHome).then((lines) => console.log(JSON.stringify({ lines })));
