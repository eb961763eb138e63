// Package page makes HTML of runs: a report, one file that holds all it needs, and the page
// that package ui serves.
//
//	runview.Run ... --Build--> View: sentences, charts, tiles, tables --> html/template
//	                                     |                                  page.html
//	                                     '--> JSON in the page              page.css
//	                                          page.js draws it by uPlot     page.js
//
// Tables, sentences, fields and SVG of the charts can be read where no script runs. Where one
// does, uPlot's charts take the place of the SVG, and fields have a wipe and a slider. Every
// name comes from a file of somebody's: html/template escapes it, and the script sets text,
// never HTML.
//
// uplot/ is uPlot 1.6.32 (MIT licence, https://github.com/leeoniya/uPlot) as npm has it; its
// SUMS file says how to fetch and check it.
package page
